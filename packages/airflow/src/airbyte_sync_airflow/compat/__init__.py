"""Where Airflow releases differ, and what the official provider left."""
