"""What `make demo`, `call` and smoke tests use: calls over V1, V2 REST and gRPC, and sample pictures."""
