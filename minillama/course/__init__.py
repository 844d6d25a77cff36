"""What turns the package into a course: notebooks, exercises, checks and grades."""
