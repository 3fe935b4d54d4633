"""What the DAG files are made from: declarations, the night's graph, and spark-submit."""
