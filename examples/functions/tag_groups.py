"""
A photo album keeps a comma-separated list of tags for each picture. Depending on the chosen view the program shows how
often each tag was used, which tags occur together with a given one, or simply which tags there are.

Input:
  `pictures` (list of str): The tag list of each picture, such as `"sea, sun"`. Case and outer blanks do not count.
  `view` (str): `"counts"` for the number of pictures per tag, `"with:TAG"` for the sorted tags that appear beside TAG,
  `"first"` for the first tag of every picture.

Output:
  `return` (dict or list): A dict from tag to count, or a list of tags.
"""


def clean(line):
    return [tag.strip().lower() for tag in line.split(",") if tag.strip()]


def main_solution(pictures, view):
    """Show the tags of an album in one of several views."""
    albums = [clean(line) for line in pictures]
    if view == "counts":
        counts = {}
        for tags in albums:
            for tag in set(tags):
                counts[tag] = counts.get(tag, 0) + 1
        return dict(sorted(counts.items()))
    if view.startswith("with:"):
        wanted = view[len("with:") :]
        beside = {tag for tags in albums if wanted in tags for tag in tags}
        return sorted(beside - {wanted})
    if view == "first":
        return [tags[0] for tags in albums if tags]
    if view == "stream":
        return (tag for tags in albums for tag in tags)
    return {tag for tags in albums for tag in tags}


# --- pairs: what follows is not part of the recorded code ---

CATEGORY = "collections"
FORWARD = "I split each line at the commas, trim and lower-case the tags, and then apply the view."
BACKWARD = "The form of the result tells me the view, and then a few pictures with fitting tags are enough."
INPUTS = [
    {"pictures": ["Sea, sun", "sun, dog", "sea,SUN"], "view": "counts"},
    {"pictures": ["dog, park", "cat, sofa", "dog, sofa, lamp"], "view": "with:dog"},
    {"pictures": ["alps, snow", "", "train"], "view": "first"},
    {"pictures": ["red", "blue"], "view": "with:green"},
    {"pictures": ["x, x, y", "y"], "view": "counts"},
]
