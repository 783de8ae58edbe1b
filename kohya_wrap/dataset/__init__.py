"""Images and captions: looked at before a run, and never touched without being asked."""
