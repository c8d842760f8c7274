"""More than one machine: the stages behind Ray Serve, folders of pictures with Ray Data; the only place that knows Ray."""
