//! OpenAI and Google as they look from a box, with their faults.
