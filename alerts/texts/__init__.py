"""What people read about a notice: the data files of each language, and what fills them in."""
