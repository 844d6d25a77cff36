# ruff: noqa: E501 (a sentence of a story stays on one line)
"""The words of the story world: names, animals, things, places, foods.

Plain tuples, in a fixed order, so that the same seed gives the same story on every machine. A name that stands at a
position divisible by HELD_OUT_EVERY occurs in held-out stories only.
"""

HELD_OUT_EVERY = 6

GIRLS = (
    "Mira", "Lily", "Mia", "Anna", "Lucy", "Emma", "Nora", "Sue", "Ella", "Rosa", "Kate", "Zoe", "Clara", "Amy", "Ruby",
    "Lena", "Jane", "Daisy", "Tessa", "Molly", "Eva", "Sara", "Polly", "Maya", "Hanna", "Betty", "Ivy", "Lola", "Nina",
    "Grace", "Freya", "Alice", "Dora", "Helen", "Julia", "Penny",
)  # fmt: skip
BOYS = (
    "Oscar", "Tom", "Ben", "Sam", "Max", "Tim", "Jack", "Leo", "Dan", "Noah", "Finn", "Peter", "Hugo", "Adam", "Billy",
    "Jon", "Luke", "Mark", "Felix", "Paul", "Joe", "Nick", "Henry", "Theo", "Arno", "Bobby", "Will", "David", "Eric",
    "Ravi", "Milo", "Anton", "Kai", "Simon", "Owen", "Jacob",
)  # fmt: skip
ANIMAL_NAMES = (
    "Tansy", "Pip", "Coco", "Sunny", "Biscuit", "Misty", "Bramble", "Dot", "Hazel", "Pepper", "Nutmeg", "Bonny",
    "Fern", "Tuft", "Scout", "Pebble", "Maple", "Patch", "Juniper", "Ginger", "Shadow", "Clover", "Snow", "Bean",
)  # fmt: skip

FIRST_SYLLABLES = (
    "Zor", "Qua", "Vel", "Bri", "Tam", "Kez", "Lun", "Fro", "Mib", "Dra", "Wix", "Sul", "Gro", "Pav", "Yel", "Hin",
    "Jol", "Cra", "Nem", "Ust",
)  # fmt: skip
LAST_SYLLABLES = (
    "bik", "mel", "tar", "no", "dle", "vix", "ra", "wen", "fop", "lis", "gan", "zu", "pin", "doro", "kesh", "mi",
    "bel", "tuk", "sa", "rond",
)  # fmt: skip

ANIMALS = (
    "fox", "owl", "rabbit", "bear", "mouse", "hedgehog", "squirrel", "frog", "duck", "turtle", "cat", "dog", "goat",
    "deer", "beaver", "badger", "hen", "pony", "otter", "mole", "crow", "lamb", "pig", "donkey",
    "goose", "sheep", "wolf", "swan", "parrot", "monkey", "elephant", "lion", "tiger", "cow", "horse", "hare", "raven",
    "seal", "penguin", "camel", "panda", "weasel",
)  # fmt: skip
CREATURES = ("robot", "giant", "elf", "wizard", "dragon", "gnome", "fairy", "pirate")

TRAITS = (
    ("kind", "always tried to help"),
    ("curious", "asked questions all day long"),
    ("brave", "was not afraid of much"),
    ("shy", "did not talk very much"),
    ("clever", "always had a good idea"),
    ("cheerful", "sang from morning to night"),
    ("careful", "looked twice before every step"),
    ("gentle", "was nice to every living thing"),
    ("quiet", "liked to sit and think"),
    ("busy", "was never still for long"),
    ("playful", "could make a game out of anything"),
    ("patient", "could wait for a very long time"),
    ("funny", "made everybody laugh"),
    ("polite", "never forgot to say thank you"),
    ("strong", "could carry heavy things"),
    ("dreamy", "often looked out of the window"),
    ("hungry", "thought about food all the time"),
    ("proud", "did not like to ask for help"),
    ("little", "was small but full of ideas"),
    ("young", "wanted to see the whole world"),
    ("noisy", "liked to stamp and shout"),
    ("lucky", "often found things on the road"),
)

LOVES = (
    "to sing", "to dance", "to run in the grass", "to climb trees", "to draw pictures", "to look at the stars",
    "to play by the water", "to listen to stories", "to pick flowers", "to watch the birds", "to make things",
    "to look for shells", "to jump over puddles", "to eat warm bread", "to sleep in the sun", "to play hide and seek",
    "to ride on the swing", "to swim in cold water", "to collect stones", "to paint the sky", "to tell jokes",
    "to roll down the hill", "to build towers", "to visit the neighbours", "to whistle", "to count the clouds",
    "to read about pirates", "to smell the roses", "to splash in the mud", "to dream about the sea",
)  # fmt: skip

COLOURS = ("red", "blue", "green", "yellow", "white", "black", "purple", "pink", "silver", "golden", "orange", "brown")
LOOKS = ("little", "big", "tiny", "old", "shiny", "pretty", "new")
THINGS = (
    "key", "ball", "cup", "hat", "ribbon", "bell", "button", "book", "kite", "lamp", "coin", "ring", "spoon", "scarf",
    "whistle", "shell", "drum", "box", "feather", "doll", "flute", "bag", "basket", "stone", "umbrella", "bucket",
    "brush", "pencil", "blanket", "toy boat", "toy car", "clock",
    "mirror", "candle", "necklace", "pillow", "plate", "jacket", "glove", "sweater", "puppet", "marble", "rattle",
    "pebble", "violin", "trumpet", "lantern", "bottle", "teapot", "jug", "comb", "map", "rope", "crown",
)  # fmt: skip

# place: (preposition, neighbours, sentences about it)
PLACES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "river": ("by", ("bridge", "meadow", "mill", "forest"), (
        "The water was clear and cold.", "Little fish swam between the stones.", "The river sang its quiet song.")),
    "forest": ("in", ("hill", "river", "cave", "meadow"), (
        "The trees were tall and green.", "The wind moved in the leaves.", "It smelled of wet leaves and moss.")),
    "hill": ("on", ("forest", "meadow", "mountain", "village"), (
        "From the top you could see far away.", "The grass was soft and the wind was strong.",
        "White clouds went by very slowly.")),
    "market": ("at", ("village", "bridge", "bakery", "square"), (
        "It was full of people and good smells.", "People called out and sold fruit and fish.",
        "There were baskets of apples and jars of honey.")),
    "garden": ("in", ("village", "meadow", "pond", "barn"), (
        "Bees flew from flower to flower.", "The roses smelled sweet.", "A small snail sat on a leaf.")),
    "meadow": ("in", ("river", "hill", "farm", "garden"), (
        "The grass was high and full of flowers.", "Butterflies danced in the air.", "A cow looked up and said moo.")),
    "lake": ("by", ("forest", "mountain", "meadow", "beach"), (
        "The water was as flat as a mirror.", "A white swan swam slowly by.", "The sun made gold spots on the water.")),
    "village": ("in", ("market", "school", "hill", "garden"), (
        "Smoke came out of the chimneys.", "Children played in the street.", "A cat slept on a warm wall.")),
    "farm": ("on", ("meadow", "barn", "village", "mill"), (
        "The hens ran here and there.", "A big horse looked over the fence.", "It smelled of hay.")),
    "school": ("at", ("village", "park", "library", "square"), (
        "The yard was full of happy noise.", "Pictures hung in all the windows.", "A bell rang inside.")),
    "beach": ("on", ("lake", "village", "cave", "park"), (
        "The waves came in and went out again.", "The sand was warm under the feet.", "White birds cried in the sky.")),
    "pond": ("by", ("garden", "park", "meadow", "barn"), (
        "Green frogs sat on the leaves.", "Ducks swam in a row.", "The water was dark and still.")),
    "bridge": ("on", ("river", "market", "mill", "village"), (
        "The water ran fast below.", "The old wood made a noise at every step.", "A boat went by far below.")),
    "barn": ("in", ("farm", "garden", "pond", "mill"), (
        "It was warm and smelled of hay.", "A mouse ran along the wall.", "Light fell through the old boards.")),
    "mill": ("at", ("river", "farm", "bridge", "bakery"), (
        "The big wheel turned and turned.", "White flour lay on everything.", "The wheel went splash, splash, splash.")),
    "park": ("in", ("school", "pond", "square", "library"), (
        "Some children played with a ball.", "An old man fed the birds.", "The swings went up and down.")),
    "library": ("in", ("school", "park", "square", "village"), (
        "There were books up to the ceiling.", "It was so quiet that you could hear the clock.",
        "Somebody turned a page.")),
    "mountain": ("on", ("hill", "lake", "cave", "forest"), (
        "The air was cold and clear.", "There was still some snow in the shade.", "A big bird flew in a circle.")),
    "cave": ("in", ("forest", "mountain", "beach", "lake"), (
        "Drops of water fell from above.", "Every word came back from the walls.", "The stones were smooth and cold.")),
    "bakery": ("in", ("market", "village", "mill", "square"), (
        "It smelled of fresh bread.", "There were cakes in the window.", "The oven was very hot.")),
    "square": ("on", ("market", "school", "bakery", "park"), (
        "There was a fountain in the middle.", "Pigeons walked over the stones.", "Somebody played music.")),
}  # fmt: skip

FOODS = (
    "bread", "milk", "eggs", "honey", "cheese", "butter", "flour", "carrots", "berries", "nuts", "pears", "plums",
    "rice", "salt", "tea", "jam", "apples", "beans", "onions", "cherries",
    "tomatoes", "potatoes", "pepper", "sugar", "lemons", "grapes", "corn", "peas", "fish", "cream",
)  # fmt: skip
SNACKS = (
    "apple",
    "cookie",
    "piece of bread",
    "sandwich",
    "pear",
    "carrot",
    "piece of cake",
    "plum",
    "bun",
    "handful of nuts",
)

ELDERS = (
    ("Grandma", "she"), ("Grandpa", "he"), ("Mama", "she"), ("Papa", "he"), ("Aunt Rose", "she"), ("Uncle Fred", "he"),
)  # fmt: skip
WORKERS = (
    ("the baker", "he"), ("the farmer", "she"), ("the teacher", "she"), ("the miller", "he"), ("the gardener", "he"),
    ("the fisherman", "he"), ("the shepherd", "she"), ("the shopkeeper", "she"),
)  # fmt: skip
