"""More than one machine: stages behind Ray Serve, folders of pictures with Ray Data; only here is Ray known."""
