"""What instructors have: grading on nbgrader, in a sandbox, and the class's tables."""
