"""Started in the container of RDE: structures the data that lie in the folder data/."""

import rdetoolkit

from unmixel.rde import dataset

rdetoolkit.workflows.run(custom_dataset_function=dataset)
