"""Recipes and runs: joins the stages."""
