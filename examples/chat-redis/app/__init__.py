"""A chat over one web socket, on any number of replicas. The engine is its application and its infrastructure; here is
the presentation."""
