"""Approval: who must agree, in which order, until when. Pure; reads no file and no clock."""
