import time, pytest
from datetime import date, timedelta, datetime, UTC
from decimal import Decimal
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from tests.factories import UserFactory
pytestmark = pytest.mark.django_db
def test_perf():
    with connection.cursor() as c:
        c.execute("insert into tenants_organization(name,slug,created_at) select 'Org '||n,'org-'||n, now()-(n%%400)*interval '1 day' from generate_series(1,1000) n".replace("%%","%"))
        c.execute("insert into byok_aiconfig(organization_id,provider,chat_model,embedding_provider,embedding_model,operation_models,openrouter_site_url,openrouter_site_name,usage_tracking,fallback,version,updated_at) select id, (array['openrouter','openai','anthropic','platform_default'])[id%4+1],'m','','','{}','','',true,'{}',1,now() from tenants_organization")
        c.execute("insert into tenants_auditevent(organization_id,actor_label,action,target,after,created_at,previous_hash,hash) select id,'x',case when k=1 then 'ai_config.saved' else 'member.removed' end,'', case when k=1 then jsonb_build_object('provider',(array['openrouter','openai','anthropic','platform_default'])[id%4+1]) end, created_at+k*interval '5 hours','','' from tenants_organization, generate_series(1,20) k")
        c.execute("insert into usage_usagedaily(organization_id,day,operation,provider,model,key_owner,requests,successes,input_tokens,cached_input_tokens,cache_write_tokens,output_tokens,reasoning_tokens,total_tokens,actual_cost,estimated_cost,unpriced_requests,duration_ms) select o.id, current_date-k*3, 'research','openrouter','vendor/model-'||(o.id+k)%60, case when o.id%4=3 then 'platform' else 'customer' end, 5,4,10,0,0,5,0,15,0.01,0,1,100 from tenants_organization o, generate_series(0,99) k")
        from usage.partitions import ensure_partitions
        months=[]; d=date.today().replace(day=1)
        for _ in range(13):
            months.append(d); d=(d-timedelta(days=1)).replace(day=1)
        ensure_partitions(months)
        c.execute("insert into usage_aiusage(id,created_at,organization_id,operation,provider,model,key_owner,price_version,success,error_code,error_message,streamed,provider_request_id,state,input_tokens,cached_input_tokens,cache_write_tokens,output_tokens,reasoning_tokens,total_tokens) select gen_random_uuid(), now()-(n%365)*interval '1 day', o.id,'research','openrouter','m','customer','',n%20<>0,case when n%20=0 then 'rate_limited' else '' end,'',false,'','final',1,0,0,1,0,2 from tenants_organization o, generate_series(1,500) n")
        for t in ("usage_usagedaily","usage_aiusage","tenants_auditevent","tenants_organization","byok_aiconfig"): c.execute("analyze "+t)
        c.execute("select count(*) from usage_usagedaily"); print("rollup", c.fetchone())
    client=Client(); client.force_login(UserFactory(is_staff=True))
    from byok.adoption import adoption, Period
    from byok import adoption as A
    p=Period.last(365)
    for name in ("organizations_now",): print(name)
    for f in (A.byok_trend,A.time_to_first_configuration,A.requests_before_and_after,A.rollup_groups,A.model_diversity,A.own_key_errors,A.free_tier_use,A.tracking_accuracy):
        t=time.perf_counter(); f(p); print(f.__name__, round((time.perf_counter()-t)*1000),"ms")
    for days in (30,90,365):
        for url in (f"/admin/adoption/?days={days}",):
            client.get(url); t=time.perf_counter()
            with CaptureQueriesContext(connection) as q: r=client.get(url)
            print(url,r.status_code,round((time.perf_counter()-t)*1000),"ms",len(q),"queries")
    from leadagent.tenants.models import Organization
    for url in ("/admin/tenants/organization/","/admin/tenants/organization/?free_tier=full",f"/admin/tenants/organization/{Organization.objects.first().pk}/change/"):
        client.get(url); t=time.perf_counter()
        with CaptureQueriesContext(connection) as q: r=client.get(url)
        print(url,r.status_code,round((time.perf_counter()-t)*1000),"ms",len(q),"queries")
