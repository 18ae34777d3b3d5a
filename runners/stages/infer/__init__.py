"""The infer stage: messages to responses, through any OpenAI-compatible endpoint.

The run has two halves. Asking sends what the log does not hold yet; exporting writes the output from the log, in the order
of the input. The log is the only memory between runs: one whole line a request, appended when its answer has come.

    settings     how a run asks
    prompts      a row's messages, checked; the digest that binds a reply to what was asked
    log          the append-only log and its index
    known        model names and hosts that have a base URL and a key of their own (known.toml)
    endpoint     where to send, and with which key: from the environment, never shown
    client       one request over the openai client; what came back as Reply, Fault or StopError
    control      how many requests may be on their way: additive increase, multiplicative decrease; backoff. No I/O, no clock
    cost         tokens, prices, the limit on what may be spent
    asking       the loop that keeps requests on their way
    estimate     what a run would send, before it does
    export       log -> output, rejects and manifest
    replay       recorded responses instead of a network
    local        a small model on this machine, served on loopback (local_server: what runs in its process)
    stage        all of it as one function: `infer`
"""
