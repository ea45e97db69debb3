"""What can be asked under ``api/``: one file a screen."""
