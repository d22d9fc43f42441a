//! Settings, and the request.
