//! What readers see, whatever the order of publishing, joining and leaving.
