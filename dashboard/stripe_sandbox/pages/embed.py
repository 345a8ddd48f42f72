"""The embedded checkout's script: what a page loads instead of Stripe.js when it talks to the sandbox."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from dashboard.stripe_sandbox.pages.rendering import page
from dashboard.stripe_sandbox.program import Sandbox

SCRIPT = """\
// Stripe sandbox: not Stripe. Offers just enough of Stripe.js to mount an embedded checkout page.
(function () {
  "use strict";
  var origin = new URL(document.currentScript.src).origin;

  function createEmbeddedCheckoutPage(options) {
    var secret = options.fetchClientSecret ? options.fetchClientSecret() : options.clientSecret;
    return Promise.resolve(secret).then(function (clientSecret) {
      var session = String(clientSecret).split("_secret_")[0];
      var frame = document.createElement("iframe");
      frame.src = origin + "/c/embed/" + encodeURIComponent(session);
      frame.title = "Secure payment form (sandbox)";
      frame.style.cssText = "width:100%;min-height:640px;border:0;color-scheme:normal";
      function onMessage(event) {
        if (event.origin !== origin || event.source !== frame.contentWindow) return;
        var message = event.data || {};
        if (message.type === "sandbox:height") frame.style.height = message.height + "px";
        if (message.type !== "sandbox:complete") return;
        if (message.returnUrl) window.location.assign(message.returnUrl);
        else if (options.onComplete) options.onComplete();
      }
      window.addEventListener("message", onMessage);
      return {
        mount: function (target) {
          var place = typeof target === "string" ? document.querySelector(target) : target;
          if (!place) throw new Error("Nothing to mount the checkout page on: " + target);
          place.appendChild(frame);
        },
        unmount: function () { frame.remove(); },
        destroy: function () { window.removeEventListener("message", onMessage); frame.remove(); }
      };
    });
  }

  window.Stripe = function () { return { createEmbeddedCheckoutPage: createEmbeddedCheckoutPage }; };
})();
"""


def routes(sandbox: Sandbox) -> list[Route]:
    """`/stripe.js`, and a page that shows how a seller mounts it."""

    async def script(request: Request) -> Response:
        return PlainTextResponse(SCRIPT, media_type="text/javascript", headers={"Access-Control-Allow-Origin": "*"})

    async def example(request: Request) -> Response:
        return page("embed_example.html", client_secret=request.query_params.get("client_secret", ""))

    return [Route("/stripe.js", script), Route("/embed-example", example)]
