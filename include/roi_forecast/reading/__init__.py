"""Reading what was published: queries on the SQL views, as the role `roi_reader`."""
