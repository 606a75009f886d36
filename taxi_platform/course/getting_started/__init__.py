"""The course's third flow: products from a web API, the columns one wants, and the average price of each brand."""
