"""Ports and connections, for whoever serves on them: nothing of KServe's, so that it is imported in no time."""
