"""What the commands do: imported when one is run, so that help and completion are quick."""
