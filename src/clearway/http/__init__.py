"""Manners of the API: one kind of error document, bounds on every request, and default deny.

`application.application` assembles an ASGI application from the routes that other rooms bring. Every
answer, whatever its status, passes `headers`; every request passes `limits`; a route is reached only
when it declares in its `opt` who may (`guard`); every error leaves as RFC 9457 problem+json (`problems`).
This room knows HTTP and no domain.
"""
