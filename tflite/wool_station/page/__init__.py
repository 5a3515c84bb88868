"""The live page of a station: a small web server that shows the belt and takes corrections."""
