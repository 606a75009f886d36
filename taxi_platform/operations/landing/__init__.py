"""The landing place: trip files that people drop by hand. How such a file is kept and loaded does not belong here."""
