"""From neighbors to answers: one small file per recommender, behind one protocol."""
