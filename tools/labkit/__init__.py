"""Labs: assignments made from this kernel by taking something out of it (handout), and their grading (grade)."""
