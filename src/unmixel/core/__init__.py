"""Words that every part of unmixel may use; imports nothing of ours."""
