"""What several tests share: lakes, servers, and rows written inline."""
