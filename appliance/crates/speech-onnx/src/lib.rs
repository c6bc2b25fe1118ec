//! speech-onnx
