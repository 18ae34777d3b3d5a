# scale a recipe to the number of guests, nice kitchen fractions
from fractions import Fraction

recipe = {"flour_cups": "3/2", "eggs": "2", "milk_cups": "1/4"}


def scale(recipe, serves, guests):
    out = {}
    for k, v in recipe.items():
        x = Fraction(v) * guests / serves
        whole, rest = divmod(x, 1)
        if whole and rest:
            out[k] = "%d %s" % (whole, rest)
        else:
            out[k] = str(x)
    return out


print(scale(recipe, 4, int(input("guests? "))))
