"""Who is who: links between records, their components, stable ids, and the evidence for them."""
