"""Official files of weights made into ONNX files, with the official packages (the extra `torch`)."""
