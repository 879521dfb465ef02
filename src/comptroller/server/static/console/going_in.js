// Goes on from our own page: on the way from the provider the strict cookie would not be sent.
location.replace(document.getElementById("go").href);
