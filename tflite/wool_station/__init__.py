"""What makes a product of the inspection: it hears the inspection's feed, and runs beside it."""
