"""The addresses of the site."""

from django.contrib import admin
from django.urls import path

from texts import views

urlpatterns = [
    path("", views.send, name="send"),
    path("texts/<int:number>/", views.show, name="show"),
    path("admin/", admin.site.urls),
]
