"""The trips: verified files and the tables that are made of them."""
