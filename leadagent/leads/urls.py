from django.urls import path

from leadagent.leads.views import assignment, drafts, intake, knowledge, notes, pages, prompts, runs, voice

app_name = "leads"

urlpatterns = [
    path("in/<slug:org>/", intake.public_form, name="intake"),
    path("in/<slug:org>/thanks/", intake.thanks, name="intake_thanks"),
    path("o/<slug:org>/leads/", pages.lead_list, name="list"),
    path("o/<slug:org>/leads/new/", intake.add, name="new"),
    path("o/<slug:org>/leads/<uuid:lead_id>/", pages.detail, name="detail"),
    path("o/<slug:org>/leads/<uuid:lead_id>/assign/", assignment.assign, name="assign"),
    path("o/<slug:org>/leads/<uuid:lead_id>/notes/", notes.add, name="note_add"),
    path("o/<slug:org>/notes/<uuid:note_id>/", notes.edit, name="note_edit"),
    path("o/<slug:org>/notes/<uuid:note_id>/delete/", notes.delete, name="note_delete"),
    path("o/<slug:org>/leads/<uuid:lead_id>/run/", runs.start, name="run_start"),
    path("o/<slug:org>/runs/<uuid:run_id>/resume/", runs.resume, name="run_resume"),
    path("o/<slug:org>/runs/<uuid:run_id>/fallback/", runs.fallback, name="run_fallback"),
    path("o/<slug:org>/runs/<uuid:run_id>/cancel/", runs.cancel, name="run_cancel"),
    path("o/<slug:org>/drafts/<uuid:draft_id>/save/", drafts.save, name="draft_save"),
    path("o/<slug:org>/drafts/<uuid:draft_id>/approve/", drafts.approve, name="draft_approve"),
    path("o/<slug:org>/drafts/<uuid:draft_id>/schedule/", drafts.schedule, name="draft_schedule"),
    path("o/<slug:org>/drafts/<uuid:draft_id>/unschedule/", drafts.unschedule, name="draft_unschedule"),
    path("o/<slug:org>/drafts/<uuid:draft_id>/rewrite/", drafts.rewrite, name="draft_rewrite"),
    path("o/<slug:org>/drafts/<uuid:draft_id>/rewrite/cancel/", drafts.rewrite_cancel, name="draft_rewrite_cancel"),
    path("o/<slug:org>/drafts/<uuid:draft_id>/restore/", drafts.restore, name="draft_restore"),
    path("o/<slug:org>/drafts/<uuid:draft_id>/history/", drafts.history, name="draft_history"),
    path("o/<slug:org>/drafts/<uuid:draft_id>/discard/", drafts.discard, name="draft_discard"),
    path("o/<slug:org>/settings/emails/", voice.voice, name="voice"),
    path("o/<slug:org>/settings/prompts/<slug:operation>/", prompts.prompt, name="prompt"),
    path("o/<slug:org>/settings/prompts/<slug:operation>/choose/", prompts.choose, name="prompt_choose"),
    path("o/<slug:org>/settings/prompts/<slug:operation>/<int:number>/", prompts.version, name="prompt_version"),
    path("o/<slug:org>/knowledge/", knowledge.documents, name="knowledge"),
    path("o/<slug:org>/knowledge/add/", knowledge.add, name="knowledge_add"),
    path("o/<slug:org>/knowledge/search/", knowledge.search, name="knowledge_search"),
    path("o/<slug:org>/knowledge/<uuid:document_id>/", knowledge.document, name="knowledge_document"),
    path("o/<slug:org>/knowledge/<uuid:document_id>/again/", knowledge.again, name="knowledge_again"),
    path("o/<slug:org>/knowledge/<uuid:document_id>/delete/", knowledge.delete, name="knowledge_delete"),
]
