"""Pictures and controls of the lessons."""
