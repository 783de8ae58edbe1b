"""One file over requests: several ranges at once, resumed after a kill, hashed on the way, named when it is whole.

../downloader.py  the door: `download`
link.py           the address: redirects, the token, a fresh signed address
answers.py        what a status means, and what is no file
chunks.py         the bytes of an answer
parallel.py       many connections into one file; worker.py is one of them, pieces.py says who fetches which range
part.py           the temporary file and its journal; spans.py is what it holds
prefix_hash.py    SHA256 close behind the connections
one_stream.py     the way for hosts that refuse ranges
tries.py          how often, and after which pause
"""
