// The flows of OpenMeter's documents with its own client. What was answered goes to standard output as JSON.
import { OpenMeter } from '@openmeter/sdk'

const [baseUrl, apiKey, stripeKey, stripeCustomerId, paymentMethodId] = process.argv.slice(2)
const openmeter = new OpenMeter({ baseUrl, apiKey })
const answers = {}

async function refused(call) {
  try {
    await call()
    return null
  } catch (error) {
    return { name: error.name, status: error.status, title: error.title, message: error.message }
  }
}

answers.listings = await openmeter.apps.marketplace.list()
answers.listing = await openmeter.apps.marketplace.get('stripe')
answers.installed = await openmeter.apps.marketplace.installWithAPIKey('stripe', { apiKey: stripeKey, name: 'Node' })
const appId = answers.installed.app.id
answers.apps = await openmeter.apps.list()
answers.renamed = await openmeter.apps.update(appId, { type: 'stripe', name: 'Renamed', metadata: { a: 'b' } })
answers.rekeyed = (await openmeter.apps.stripe.updateApiKey(appId, { secretAPIKey: stripeKey })) ?? 'nothing'

const body = {
  customer: {
    name: 'ACME, Inc.',
    key: 'my-database-id',
    usageAttribution: { subjectKeys: ['my-usage-event-subject'] },
  },
  options: { successURL: 'https://example.com/success', currency: 'USD' },
}
answers.session = await openmeter.apps.stripe.createCheckoutSession(body)
answers.again = await refused(() => openmeter.apps.stripe.createCheckoutSession(body))

const customer = await openmeter.customers.create({ name: 'Linked by hand', key: 'linked/by hand' })
answers.upserted = await openmeter.customers.apps.upsert('linked/by hand', [
  { type: 'stripe', stripeCustomerId, stripeDefaultPaymentMethodId: paymentMethodId },
])
answers.links = await openmeter.customers.apps.list('linked/by hand')
answers.link = await openmeter.customers.stripe.upsert(customer.id, { stripeCustomerId })
answers.linkAgain = await openmeter.customers.stripe.get(customer.id)
answers.portal = await openmeter.customers.stripe.createPortalSession(customer.id, { returnUrl: 'https://example.com' })
answers.customer = await openmeter.customers.get('linked/by hand')
answers.updated = await openmeter.customers.update(customer.id, { name: 'Renamed', key: 'linked/by hand' })
answers.customers = await openmeter.customers.list({ pageSize: 1, orderBy: 'createdAt', order: 'DESC' })

const profiles = await openmeter.billing.profiles.list()
const standard = profiles.items[0]
answers.profile = await openmeter.billing.profiles.create({
  name: 'Enterprise',
  default: false,
  supplier: { name: 'Us', addresses: [{ country: 'US' }] },
  workflow: { payment: { collectionMethod: 'send_invoice' }, invoicing: { dueAfter: 'P14D' } },
  apps: { tax: appId, invoicing: appId, payment: appId },
})
answers.profileAgain = await openmeter.billing.profiles.get(answers.profile.id)
answers.profileUpdated = await openmeter.billing.profiles.update(answers.profile.id, {
  ...answers.profile,
  name: 'Enterprise EU',
})
answers.override = await openmeter.billing.customers.createOverride(customer.id, {
  billingProfileId: answers.profile.id,
})
answers.overrideAgain = await openmeter.billing.customers.getOverride(customer.id)
answers.unset = await refused(() =>
  openmeter.billing.profiles.update(standard.id, { ...standard, default: false }),
)
answers.subjects = await openmeter.subjects.upsert([
  { key: 'my-usage-event-subject', displayName: 'ACME, Inc.', metadata: { plan: 'pro' } },
])
answers.subject = await openmeter.subjects.get('my-usage-event-subject')
answers.forgotten = (await openmeter.subjects.delete('my-usage-event-subject')) ?? 'nothing'
answers.unknown = await refused(() => openmeter.customers.get('nobody'))
answers.strangerKey = await refused(() => new OpenMeter({ baseUrl, apiKey: 'wrong' }).customers.list())

console.log(JSON.stringify(answers))
