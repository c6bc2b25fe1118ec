//! Clients of OpenAI and Google.
