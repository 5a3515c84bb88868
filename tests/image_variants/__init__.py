"""One picture in some hundreds of variants of image files, and what an independent decoder reads in each."""
