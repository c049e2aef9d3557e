"""Ratings that count the moment they are written: an index in memory, a store on disk."""
