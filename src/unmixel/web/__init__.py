"""The browser viewer's server: what is asked for, what is answered, and who may ask."""
