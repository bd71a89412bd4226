"""Clips from the press to the trash: joins ring, clip writer and library, and speaks for them to the control API."""
