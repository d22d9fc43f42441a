"""The presentation of a chat; its application and its infrastructure are the engine."""
