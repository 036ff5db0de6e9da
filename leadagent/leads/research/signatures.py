"""How products show themselves in a page: names that they leave in headers, cookies, scripts, markup and DNS.

Written from what these products document or send. A match says that a name was seen, not that it is in use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Where = Literal["header", "cookie", "html", "mx", "txt", "ns"]


@dataclass(frozen=True, slots=True)
class Signature:
    """`needle` is looked for in lower case; for headers it is `name: part of the value`."""

    product: str
    category: str
    where: Where
    needle: str


def _table(category: str, where: Where, *pairs: tuple[str, str]) -> tuple[Signature, ...]:
    return tuple(Signature(product, category, where, needle) for product, needle in pairs)


SIGNATURES: tuple[Signature, ...] = (
    *_table(
        "Content management", "html",
        ("WordPress", "/wp-content/"), ("WordPress", "/wp-includes/"), ("Drupal", "/sites/default/files/"),
        ("Drupal", "drupal-settings-json"), ("Joomla", "/media/jui/"), ("TYPO3", "/typo3temp/"),
        ("Squarespace", "static1.squarespace.com"), ("Wix", "static.wixstatic.com"), ("Webflow", "data-wf-site"),
        ("Contentful", "images.ctfassets.net"), ("Sanity", "cdn.sanity.io"), ("Ghost", "/ghost/api/"),
        ("Framer", "framerusercontent.com"), ("HubSpot CMS", "hs-sites.com"), ("Craft CMS", "/cpresources/"),
    ),
    *_table(
        "Shop", "html",
        ("Shopify", "cdn.shopify.com"), ("WooCommerce", "/plugins/woocommerce/"), ("Magento", "/static/version"),
        ("PrestaShop", "prestashop"), ("Shopware", "/bundles/storefront/"), ("BigCommerce", "bigcommerce.com"),
    ),
    *_table(
        "Framework", "html",
        ("Next.js", "/_next/static/"), ("Nuxt", "/_nuxt/"), ("Gatsby", "___gatsby"), ("Angular", "ng-version="),
        ("Astro", "/_astro/"), ("SvelteKit", "/_app/immutable/"), ("Ruby on Rails", "authenticity_token"),
        ("Django", "csrfmiddlewaretoken"), ("Laravel Livewire", "wire:id="), ("htmx", "hx-get="),
    ),
    *_table(
        "Analytics", "html",
        ("Google Analytics", "googletagmanager.com/gtag/"), ("Google Analytics", "google-analytics.com/analytics.js"),
        ("Google Tag Manager", "googletagmanager.com/gtm.js"), ("Matomo", "matomo.js"),
        ("Plausible", "plausible.io/js/"),
        ("Hotjar", "static.hotjar.com"), ("Microsoft Clarity", "clarity.ms/tag/"), ("Segment", "cdn.segment.com"),
        ("Mixpanel", "cdn.mxpnl.com"), ("Amplitude", "cdn.amplitude.com"), ("PostHog", "posthog.com"),
        ("Fathom", "usefathom.com"), ("LinkedIn Insight", "snap.licdn.com"), ("Meta Pixel", "connect.facebook.net"),
    ),
    *_table(
        "Sales and marketing", "html",
        ("HubSpot", "js.hs-scripts.com"), ("HubSpot", "js.hsforms.net"), ("Salesforce Pardot", "pi.pardot.com"),
        ("Salesforce", "force.com"), ("Marketo", "munchkin.js"), ("ActiveCampaign", "trackcmp.net"),
        ("Mailchimp", "list-manage.com"), ("Klaviyo", "static.klaviyo.com"), ("Pipedrive", "pipedriveassets.com"),
        ("Calendly", "assets.calendly.com"), ("Typeform", "embed.typeform.com"), ("Brevo", "sibautomation.com"),
    ),
    *_table(
        "Customer support", "html",
        ("Intercom", "widget.intercom.io"), ("Zendesk", "static.zdassets.com"), ("Drift", "js.driftt.com"),
        ("Crisp", "client.crisp.chat"), ("Freshchat", "wchat.freshchat.com"), ("Tawk.to", "embed.tawk.to"),
        ("LiveChat", "cdn.livechatinc.com"), ("Userlike", "userlike-cdn-widgets"),
    ),
    *_table(
        "Payments", "html",
        ("Stripe", "js.stripe.com"), ("PayPal", "paypal.com/sdk/"), ("Adyen", "checkoutshopper-live.adyen.com"),
        ("Paddle", "cdn.paddle.com"), ("Klarna", "klarnaservices.com"),
    ),
    *_table(
        "Consent", "html",
        ("OneTrust", "cdn.cookielaw.org"), ("Cookiebot", "consent.cookiebot.com"), ("Usercentrics", "usercentrics.eu"),
    ),
    *_table(
        "Recruiting", "html",
        ("Greenhouse", "boards.greenhouse.io"), ("Lever", "jobs.lever.co"), ("Personio", "jobs.personio."),
        ("Workable", "apply.workable.com"), ("Ashby", "jobs.ashbyhq.com"),
    ),
    *_table(
        "Server", "header",
        ("nginx", "server: nginx"), ("Apache", "server: apache"), ("Microsoft IIS", "server: microsoft-iis"),
        ("Caddy", "server: caddy"), ("LiteSpeed", "server: litespeed"), ("OpenResty", "server: openresty"),
        ("Envoy", "server: envoy"), ("Gunicorn", "server: gunicorn"),
    ),
    *_table(
        "Hosting", "header",
        ("Cloudflare", "server: cloudflare"), ("Amazon CloudFront", "via: cloudfront"),
        ("Amazon CloudFront", "x-amz-cf-id: "), ("Amazon S3", "server: amazons3"), ("Vercel", "server: vercel"),
        ("Netlify", "server: netlify"), ("Fastly", "x-served-by: cache-"), ("Akamai", "server: akamai"),
        ("GitHub Pages", "server: github.com"), ("Fly.io", "fly-request-id: "), ("Azure", "x-azure-ref: "),
        ("Google Cloud", "via: 1.1 google"), ("WP Engine", "x-powered-by: wp engine"), ("Heroku", "via: 1.1 heroku"),
    ),
    *_table(
        "Framework", "header",
        ("PHP", "x-powered-by: php"), ("ASP.NET", "x-powered-by: asp.net"), ("Express", "x-powered-by: express"),
        ("Next.js", "x-powered-by: next.js"), ("Drupal", "x-generator: drupal"), ("Shopify", "x-shopid: "),
    ),
    *_table(
        "Framework", "cookie",
        ("PHP", "phpsessid"), ("Java", "jsessionid"), ("ASP.NET", "asp.net_sessionid"), ("Django", "csrftoken"),
        ("Laravel", "laravel_session"), ("WordPress", "wordpress_"), ("Shopify", "_shopify_y"),
    ),
    *_table(
        "Email", "mx",
        ("Google Workspace", "google.com"), ("Google Workspace", "googlemail.com"),
        ("Microsoft 365", "mail.protection.outlook.com"), ("Zoho Mail", "zoho."), ("Fastmail", "messagingengine.com"),
        ("Proton Mail", "protonmail.ch"), ("Mimecast", "mimecast.com"), ("Proofpoint", "pphosted.com"),
        ("Barracuda", "barracudanetworks.com"), ("IONOS", "kundenserver.de"), ("OVHcloud", "ovh.net"),
        ("Amazon WorkMail", "awsapps.com"), ("iCloud Mail", "icloud.com"),
    ),
    *_table(
        "Service", "txt",
        ("Google", "google-site-verification="), ("Microsoft 365", "ms="), ("Meta", "facebook-domain-verification="),
        ("Atlassian", "atlassian-domain-verification="), ("DocuSign", "docusign="), ("Stripe", "stripe-verification="),
        ("HubSpot", "include:spf.hubspot.com"), ("HubSpot", "hubspot-developer-verification="),
        ("SendGrid", "include:sendgrid.net"), ("Mailgun", "include:mailgun.org"),
        ("Amazon SES", "include:amazonses.com"), ("Mailchimp", "include:servers.mcsv.net"),
        ("Postmark", "include:spf.mtasv.net"), ("Brevo", "include:spf.sendinblue.com"),
        ("Salesforce", "include:_spf.salesforce.com"), ("Zendesk", "include:mail.zendesk.com"),
        ("Freshdesk", "include:email.freshdesk.com"), ("Google Workspace", "include:_spf.google.com"),
        ("Microsoft 365", "include:spf.protection.outlook.com"), ("Apple", "apple-domain-verification="),
        ("OpenAI", "openai-domain-verification="), ("Anthropic", "anthropic-domain-verification"),
        ("Slack", "slack-domain-verification="), ("Zoom", "zoom-domain-verification="),
        ("1Password", "1password-site-verification="), ("Dropbox", "dropbox-domain-verification="),
        ("Adobe", "adobe-idp-site-verification="), ("Notion", "notion-domain-verification="),
    ),
    *_table(
        "DNS", "ns",
        ("Cloudflare", "ns.cloudflare.com"), ("Amazon Route 53", "awsdns-"), ("Azure DNS", "azure-dns."),
        ("Google Cloud DNS", "googledomains.com"), ("GoDaddy", "domaincontrol.com"),
        ("Namecheap", "registrar-servers.com"),
        ("IONOS", "ui-dns."), ("Hetzner", "hetzner."), ("Gandi", "gandi.net"), ("DNSimple", "dnsimple.com"),
        ("OVHcloud", "ovh.net"), ("NS1", "nsone.net"), ("Vercel", "vercel-dns.com"),
    ),
)  # fmt: skip
