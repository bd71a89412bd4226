"""Small numbers about the picture and the sound, twice a second, and the local gate over them."""
