"""The passes: one file each, one public function each, ``Graph -> Graph``."""
